from odd_sources.cycle_b import X as Y

X = Y
P = Q = 1
A = B
B = A
