from odd_sources.star_a import *
