"""How to learn to learn, one file a method, and what methods share.

`base` says what an algorithm is. `derivatives` takes the gradients of an inner loop, `inner` is how it descends along
them, `heads` are inner loops on a head alone, `pretraining` is a stage over examples, and `sequence` reads a task as a
sequence. Every other module is a method and is found by a scan.
"""
