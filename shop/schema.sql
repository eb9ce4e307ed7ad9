-- The shop's tables, for SQLite and PostgreSQL alike. A database that the shop is to be swapped to needs them first.
CREATE TABLE IF NOT EXISTS orders (id BIGINT PRIMARY KEY, customer TEXT, cents INTEGER, payment TEXT, parcels INTEGER)
