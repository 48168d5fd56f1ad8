/* Writes where there is nothing. */
int main(void)
{
    *(volatile int *)0 = 1;
    return 0;
}
