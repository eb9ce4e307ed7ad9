from collections import OrderedDict

NUMBER = 5
make = lambda: 5
LOOP = POOL
POOL = LOOP
