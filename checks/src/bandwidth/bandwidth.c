/*
 * Times two loops over arrays that are larger than the caches:
 *   copy   a[i] = b[i]             two arrays moved
 *   triad  a[i] = b[i] + f * c[i]  three arrays moved
 * and prints the best rate of each in GB/s (10^9 bytes a second).
 *
 * usage: bandwidth <MiB of one array> <repetitions>
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

static const double factor = 3.0;

static double copy_once(double *a, const double *b, size_t n)
{
    const double start = omp_get_wtime();
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        a[i] = b[i];
    return omp_get_wtime() - start;
}

static double triad_once(double *a, const double *b, const double *c, size_t n)
{
    const double start = omp_get_wtime();
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        a[i] = b[i] + factor * c[i];
    return omp_get_wtime() - start;
}

static double rate(int arrays, size_t n, double seconds)
{
    return (double)arrays * (double)n * sizeof(double) / seconds / 1e9;
}

int main(int argc, char **argv)
{
    const long mib = argc > 1 ? atol(argv[1]) : 32;
    const long repetitions = argc > 2 ? atol(argv[2]) : 20;
    if (mib < 1 || repetitions < 1) {
        fprintf(stderr, "usage: %s <MiB of one array> <repetitions>\n", argv[0]);
        return 2;
    }

    const size_t n = (size_t)mib * 1024 * 1024 / sizeof(double);
    double *a = malloc(n * sizeof *a);
    double *b = malloc(n * sizeof *b);
    double *c = malloc(n * sizeof *c);
    if (!a || !b || !c) {
        fprintf(stderr, "no memory for three arrays of %ld MiB\n", mib);
        return 1;
    }

    int threads = 0;
#pragma omp parallel
    {
#pragma omp single
        threads = omp_get_num_threads();

        /* The thread that first touches a page decides which memory it lies in. */
#pragma omp for schedule(static)
        for (size_t i = 0; i < n; i++) {
            a[i] = 0.0;
            b[i] = 1.0 + (double)(i % 7);
            c[i] = 0.5;
        }
    }

    double best_copy = 1e30;
    double best_triad = 1e30;
    int wrong = 0;
    for (long r = 0; r < repetitions; r++) {
        const double seconds = copy_once(a, b, n);
        if (seconds < best_copy)
            best_copy = seconds;
    }
    for (size_t i = 0; i < n; i += 4093)
        wrong += a[i] != b[i];

    for (long r = 0; r < repetitions; r++) {
        const double seconds = triad_once(a, b, c, n);
        if (seconds < best_triad)
            best_triad = seconds;
    }
    for (size_t i = 0; i < n; i += 4093)
        wrong += a[i] != b[i] + factor * c[i];

    printf("threads: %d\n", threads);
    printf("copy: %.3f GB/s\n", rate(2, n, best_copy));
    printf("triad: %.3f GB/s\n", rate(3, n, best_triad));
    if (wrong)
        printf("check: %d wrong values\n", wrong);
    else
        printf("check: ok\n");

    free(a);
    free(b);
    free(c);
    return wrong ? 1 : 0;
}
