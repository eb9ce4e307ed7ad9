from factories_of_classes.parts import Pool as Pool
