class Mail(:
