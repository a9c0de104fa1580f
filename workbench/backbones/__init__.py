"""Networks, one file each, and what they share.

`base` says what a backbone is and how a network is called with parameters of one's own. `convolution` and
`normalization` are layers that are fast where they are mapped over tasks, and `mapping` is how they are called there.
Every other module is a backbone and is found by a scan.
"""
