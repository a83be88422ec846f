"""Where is the answer in a response, and is it right?"""
