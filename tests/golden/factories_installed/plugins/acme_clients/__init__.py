from acme_clients.client import Client as Client
