"""`oneiric serve`: a process around a wiring, and what operates it from outside.

`process` is the process, `control` and `probes` what it answers, `client` the other end of its control socket.
Nothing here is imported by an application that runs its own `Runtime`.
"""
