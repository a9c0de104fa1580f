"""Fashion-MNIST: articles of clothing."""

from __future__ import annotations

from typing import Literal

from workbench.tasks.benchmarks.base import BenchmarkConfig
from workbench.tasks.benchmarks.ten_classes import IdxTasks, official_files


class FashionMnistConfig(BenchmarkConfig):
    """Where the four files lie."""

    name: Literal["fashion_mnist"] = "fashion_mnist"


class FashionMnist(IdxTasks):
    """Articles of clothing: 70,000 grey pictures at 28×28 on black, ten kinds (Xiao, Rasul and Vollgraf 2017).

    Ten classes are few for few-shot learning: 4 train, 3 validate and 3 are tested on, always the same, so that tasks
    have at most three ways. With `dataset.held_out=examples` all ten are in every split, each with a fifth of its
    examples for validation and a fifth for testing: for comparing with supervised learning, or for testing a learner
    that was trained on other data.
    """

    Config = FashionMnistConfig
    title = "Fashion-MNIST"
    source = "Xiao 2017"
    addresses = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
                 "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion")
    official = official_files(
        ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880), ("25c81989df183df01b3e8a0aad5dffbe", 29_515),
        ("bef4ecab320f06d8554ea6380940ec79", 4_422_102), ("bb300cfdad3c16e7a12a480ee83cd310", 5_148))
    class_names = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                   "Ankle boot")
    hints = ("FashionMNIST", "fashion-mnist", "fashion_mnist", "fashion")
