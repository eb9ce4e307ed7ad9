from odd_sources.cycle_a import X
