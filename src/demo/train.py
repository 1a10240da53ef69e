"""Trains a softmax classifier on 1,797 handwritten digits, with Python's standard library alone.

Nothing in this file knows about git xtrack. What `git xtrack record -- python3 train.py --lr 0.1`
records is what any program shows from outside: its options become params, metrics.json becomes
metrics and confusion.csv an artifact (xtrack.toml names both), and git holds the code that ran.
"""
import argparse, csv, gzip, json, math, pathlib, random, sys
from operator import mul

BATCH = 20  # images per step
TRAINED = 1300  # the first images train; the other 497, by other writers, test

options = argparse.ArgumentParser()
options.add_argument("--lr", type=float, default=0.1, help="learning rate")
options.add_argument("--epochs", type=int, default=5, help="passes over the training images")
options.add_argument("--l2", type=float, default=0.0, help="weight decay")
options.add_argument("--seed", type=int, default=1, help="order of the training images")
options = options.parse_args()


def load(path):
    """Images as (pixels in 0..1 and a constant 1 for the bias, digit)."""
    with gzip.open(path, "rt") as lines:
        rows = list(csv.reader(lines))[1:]
    return [([int(pixel) / 16 for pixel in row[1:]] + [1.0], int(row[0])) for row in rows]


def predict(weights, image):
    """The probability of each digit."""
    scores = [sum(map(mul, row, image)) for row in weights]
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def step(weights, batch):
    """Moves the weights down the gradient of the batch's loss."""
    rate, keep = options.lr / len(batch), 1 - options.lr * options.l2
    errors = [[p - (k == digit) for k, p in enumerate(predict(weights, image))] for image, digit in batch]
    pixels = list(zip(*(image for image, _ in batch)))
    for row, error in zip(weights, zip(*errors)):
        row[:] = [keep * w - rate * sum(map(mul, error, pixel)) for w, pixel in zip(row, pixels)]


def test(weights, images):
    """Mean loss, accuracy, and how often each digit was taken for which."""
    loss, confusion = 0.0, [[0] * 10 for _ in range(10)]
    for image, digit in images:
        chances = predict(weights, image)
        loss -= math.log(max(chances[digit], 1e-12)) / len(images)
        confusion[digit][chances.index(max(chances))] += 1
    return loss, sum(confusion[k][k] for k in range(10)) / len(images), confusion


def save(loss, accuracy, confusion):
    """Written after each epoch, so that a run which is stopped has its last good numbers too."""
    pathlib.Path("metrics.json").write_text(json.dumps({"accuracy": accuracy, "loss": loss}) + "\n")
    with open("confusion.csv", "w", newline="") as table:
        csv.writer(table).writerows([["digit", *range(10)]] + [[k, *row] for k, row in enumerate(confusion)])


images = load(pathlib.Path(__file__).with_name("digits.csv.gz"))
training, testing = images[:TRAINED], images[TRAINED:]
weights, order = [[0.0] * 65 for _ in range(10)], random.Random(options.seed)
for epoch in range(1, options.epochs + 1):
    order.shuffle(training)
    for start in range(0, TRAINED, BATCH):
        step(weights, training[start : start + BATCH])
    loss, accuracy, confusion = test(weights, testing)
    print(f"epoch {epoch:2}  loss {loss:.4f}  accuracy {accuracy:.4f}", flush=True)
    if not math.isfinite(loss):
        sys.exit("diverged: the loss is no longer a number")
    save(loss, accuracy, confusion)
