"""Where tasks come from: one file a dataset, and folders of what the datasets share.

`base` says what a task is and what every source of tasks can do. Every other module in this very folder is a dataset,
or a few of one kind, and is found by a scan. None imports another; what they share lies in folders, each of which
rests on those below it only:

- `looking`: what data are, what they hold and what is wrong with them, before anybody trains on them;
- `own`: what data of a person's own share, `benchmarks`: what standard benchmarks share;
- `sampling`: how tasks are drawn, from examples that belong to classes and from functions;
- `files`: reading what people have, with no notion of a task.
"""
