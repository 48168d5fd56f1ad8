/* A plugin of somebody else's, for WebAssembly and without any library. */

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(name) __attribute__((import_module("shop"), import_name(name)))

/* What the host gives it. */
IMPORT("log") void shop_log(const char *text, unsigned length);
IMPORT("price") long long shop_price(int item);

/* Numbers in, a number out. */
EXPORT("total") long long total(int item, int count)
{
    static const char text[] = "asking for a price";
    shop_log(text, sizeof text - 1);
    return shop_price(item) * count;
}

/* Bytes in, bytes out: the host has stockade_alloc make room for what comes in, and gives what went out to
 * stockade_free. */
static char room[1 << 16];
static unsigned used;

EXPORT("stockade_alloc") char *stockade_alloc(unsigned length)
{
    if (length > sizeof room - used)
        __builtin_trap();
    char *block = room + used;
    used += length;
    return block;
}

EXPORT("stockade_free") void stockade_free(char *block, unsigned length)
{
    (void)block, (void)length;
    used = 0; /* the call is over, and all that it made */
}

EXPORT("shout") unsigned long long shout(const char *text, unsigned length)
{
    char *louder = stockade_alloc(length + 1);
    for (unsigned i = 0; i < length; i++)
        louder[i] = text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i];
    louder[length] = '!';
    return (unsigned long long)(unsigned)louder << 32 | (length + 1); /* where it is, and how long */
}

/* And what no plugin should do. */
EXPORT("loop") void loop(void)
{
    for (;;) {
    }
}

EXPORT("trap") void trap(void)
{
    __builtin_trap();
}

EXPORT("lie") void lie(void)
{
    shop_log((const char *)0xfffffff0, 1000); /* not its memory */
}
