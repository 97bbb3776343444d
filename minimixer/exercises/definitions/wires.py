"""Mixer blocks with another wiring, for exercise 09: t mixes tokens, c channels; n1 and n2 are the two norms."""

from minimixer.backend import Array
from minimixer.exercises.task import Function


def parallel(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    return x + t(n1(x)) + c(n2(x))


def post_norm(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = n1(x + t(x))
    return n2(u + c(u))


def norm_of_branch(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = x + n1(t(x))
    return u + n2(c(u))


def no_residual(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    return c(n2(t(n1(x))))


def first_only(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    return c(n2(x + t(n1(x))))


def second_only(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = t(n1(x))
    return u + c(n2(u))


def old_x(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    return x + c(n2(x + t(n1(x))))


def other_order(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = x + c(n2(x))
    return u + t(n1(u))


def one_norm(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = x + t(n1(x))
    return u + c(n1(u))


def first_norm_only(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = x + t(n1(x))
    return u + c(u)


def second_norm_only(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = x + t(x)
    return u + c(n2(u))


def norms_swapped(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = x + t(n2(x))
    return u + c(n1(u))


def tokens_only(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    return x + t(n1(x))


def channels_of_mixed(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    mixed = t(n1(x))
    return x + mixed + c(n2(mixed))


def mixed_twice(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = x + t(n1(x))
    return u + c(n2(u)) + x


def norm_at_the_end(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = x + t(n1(x))
    return n2(u + c(n2(u)))


def norm_of_sum(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = n2(x + t(n1(x)))
    return u + c(u)


def no_norm(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = x + t(x)
    return u + c(u)


def residual_of_normalized(x: Array, t: Function, c: Function, n1: Function, n2: Function) -> Array:
    u = n1(x) + t(n1(x))
    return n2(u) + c(n2(u))
