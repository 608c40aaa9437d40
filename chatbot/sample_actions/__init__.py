"""The sample company's action server: looks up and cancels orders, as a company's own would.

It runs with ``kefu serve``, or by itself:
``python -m rasa_sdk --actions chatbot.sample_actions``.
"""
