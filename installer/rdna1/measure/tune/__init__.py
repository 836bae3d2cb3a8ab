"""Which environment does a card do best in?"""
