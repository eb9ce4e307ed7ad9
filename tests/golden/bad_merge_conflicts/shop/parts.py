from oneiric import component


<<<<<<< HEAD
@component("adapter", "mail", provider="smtp")
=======
@component("adapter", "mail", provider="api")
>>>>>>> feature
class Mail:
    """Git writes:

    <<<<<<< in a docstring is none
    """
