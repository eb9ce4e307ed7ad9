from odd_sources.star_b import *
