#include <stdio.h>

int main(void)
{
    puts("built and run");
    return 0;
}
