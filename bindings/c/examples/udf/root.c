/* A user's function: a square root by Newton's method. It forgot that some numbers have none. */

static double size(double value)
{
    return value < 0 ? -value : value;
}

__attribute__((export_name("root"))) double root(double value)
{
    double guess = 1;
    while (size(guess * guess - value) > 1e-9 * value)
        guess = (guess + value / guess) / 2;
    return guess;
}
