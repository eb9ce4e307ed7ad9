"""One module for each contender; it is in the tables that it has a function for.

| function | gives |
|---|---|
| `start(parts)` | desk 7 of an application that has all of them registered as singletons |
| `access(parts)` | statements that give the same desk 7, alive already, each with the names it uses |
| `transient()` | such a statement that gives a new `A(B(C()))` each time |
| `swap(first)` | a function that asks for the cache, and one that puts another in its place while users run |
| `tenant(parts)` | a function from a tenant's name to its desk 7, with its own store 7, and what to keep of it |
| `write(parts, folder)` | nothing: it writes the files that the others need into the project's folder |

Those of this project are asynchronous context managers, as its runtime is; `START` is what its process runs instead.
`start` runs in a process of its own, so it imports what it needs itself; `DISTRIBUTION` is what is installed. Every
one is used as its documentation says, in the fastest way that this offers: registered in a loop, classes at hand,
checks of the whole graph off where they are optional, what is asked for often held in a local name.
"""
