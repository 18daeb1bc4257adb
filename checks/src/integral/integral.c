/*
 * Integrates 4 / (1 + x^2) from 0 to 1, which is pi, by the midpoint rule. Each task of a job
 * takes every n-th step and prints its part; who it is it learns from Slurm.
 *
 * usage: integral <steps>
 */
#include <stdio.h>
#include <stdlib.h>

static long from_environment(const char *name, long otherwise)
{
    const char *value = getenv(name);
    return value ? atol(value) : otherwise;
}

int main(int argc, char **argv)
{
    const long steps = argc > 1 ? atol(argv[1]) : 0;
    if (steps < 1) {
        fprintf(stderr, "usage: %s <steps>\n", argv[0]);
        return 2;
    }

    const long rank = from_environment("SLURM_PROCID", 0);
    const long tasks = from_environment("SLURM_NTASKS", 1);
    const double width = 1.0 / (double)steps;
    double sum = 0.0;
    for (long i = rank; i < steps; i += tasks) {
        const double x = ((double)i + 0.5) * width;
        sum += 4.0 / (1.0 + x * x);
    }
    printf("part %ld of %ld: %.12f\n", rank, tasks, sum * width);
    return 0;
}
