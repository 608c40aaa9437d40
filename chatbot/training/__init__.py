"""Training and measuring: intents, the answer judge, whole answers."""
