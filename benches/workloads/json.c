/* Parses a JSON document (RFC 8259) into a tree and writes the tree out again. */
#include <stdlib.h>

#include "workload.h"

#define ROUNDS 40
#define RECORDS 4000
#define ROOM (1 << 20)
#define NODES (1 << 17)
#define DEEPEST 64

static char document[ROOM], written[ROOM], strings[ROOM];
static size_t text_used;

enum kind { NIL, NO, YES, NUMBER, STRING, LIST, OBJECT };

struct node {
    enum kind kind;
    union {
        double number;
        const char *text;
        struct node *first;
    } is;
    const char *name;
    struct node *next;
};

static struct node nodes[NODES];
static int nodes_used;
static const char *in;
static char *out;

static struct node *value(int depth);

static void blank(void)
{
    while (*in == ' ' || *in == '\n' || *in == '\t' || *in == '\r')
        in++;
}

/* Takes `c`, after blanks. */
static int take(char c)
{
    blank();
    if (*in != c)
        return 0;
    in++;
    return 1;
}

static char *utf8(char *at, unsigned code)
{
    if (code < 0x80) {
        *at++ = (char) code;
    } else if (code < 0x800) {
        *at++ = (char) (0xc0 | code >> 6);
        *at++ = (char) (0x80 | (code & 63));
    } else {
        *at++ = (char) (0xe0 | code >> 12);
        *at++ = (char) (0x80 | (code >> 6 & 63));
        *at++ = (char) (0x80 | (code & 63));
    }
    return at;
}

static const char *string(void)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char *start = strings + text_used, *at = start;
    if (!take('"'))
        return NULL;
    for (; *in != '"'; in++) {
        const char *escape;
        if ((unsigned char) *in < ' ')
            return NULL;
        if (*in != '\\') {
            *at++ = *in;
        } else if (*++in == 'u') {
            unsigned code = 0;
            for (int i = 0; i < 4; i++) {
                char c = *++in;
                int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
                if (digit < 0 || digit > 15)
                    return NULL;
                code = code << 4 | (unsigned) digit;
            }
            at = utf8(at, code);
        } else if (*in && (escape = strchr(from, *in))) {
            *at++ = to[escape - from];
        } else {
            return NULL;
        }
    }
    in++;
    *at++ = 0;
    text_used = (size_t) (at - strings);
    return start;
}

static int number(double *result)
{
    double value = 0, scale = 1;
    int minus = *in == '-', exponent = 0, sign = 1;
    in += minus;
    if (*in < '0' || *in > '9')
        return 0;
    while (*in >= '0' && *in <= '9')
        value = value * 10 + (*in++ - '0');
    if (*in == '.')
        for (in++; *in >= '0' && *in <= '9'; scale *= 10)
            value = value * 10 + (*in++ - '0');
    if (*in == 'e' || *in == 'E') {
        in++;
        if (*in == '-' || *in == '+')
            sign = *in++ == '-' ? -1 : 1;
        while (*in >= '0' && *in <= '9' && exponent < 1000)
            exponent = exponent * 10 + (*in++ - '0');
    }
    value /= scale;
    for (; exponent > 0; exponent--)
        value = sign < 0 ? value / 10 : value * 10;
    *result = minus ? -value : value;
    return 1;
}

/* The members of a list or an object, up to `end`. */
static int members(struct node *parent, char end, int depth)
{
    struct node **place = &parent->is.first;
    *place = NULL;
    if (take(end))
        return 1;
    do {
        const char *name = NULL;
        if (parent->kind == OBJECT && (!(name = string()) || !take(':')))
            return 0;
        struct node *child = value(depth + 1);
        if (!child)
            return 0;
        child->name = name;
        *place = child;
        place = &child->next;
    } while (take(','));
    return take(end);
}

static int word(const char *text)
{
    size_t len = strlen(text);
    if (strncmp(in, text, len) != 0)
        return 0;
    in += len;
    return 1;
}

static struct node *value(int depth)
{
    if (depth > DEEPEST || nodes_used == NODES)
        return NULL;
    struct node *node = &nodes[nodes_used++];
    int fine = 1;
    node->next = NULL;
    blank();
    switch (*in) {
    case '{': in++; node->kind = OBJECT; fine = members(node, '}', depth); break;
    case '[': in++; node->kind = LIST; fine = members(node, ']', depth); break;
    case '"': node->kind = STRING; fine = (node->is.text = string()) != NULL; break;
    case 'n': node->kind = NIL; fine = word("null"); break;
    case 'f': node->kind = NO; fine = word("false"); break;
    case 't': node->kind = YES; fine = word("true"); break;
    default: node->kind = NUMBER; fine = number(&node->is.number);
    }
    return fine ? node : NULL;
}

static void write_digits(uint64_t number)
{
    char digits[24];
    int len = 0;
    do
        digits[len++] = (char) ('0' + number % 10);
    while (number /= 10);
    while (len)
        *out++ = digits[--len];
}

/* Up to three decimals. */
static void write_number(double number)
{
    if (number < 0) {
        *out++ = '-';
        number = -number;
    }
    uint64_t thousandths = (uint64_t) (number * 1000 + 0.5);
    write_digits(thousandths / 1000);
    unsigned rest = (unsigned) (thousandths % 1000);
    if (rest == 0)
        return;
    *out++ = '.';
    for (unsigned unit = 100; rest; unit /= 10) {
        *out++ = (char) ('0' + rest / unit);
        rest %= unit;
    }
}

static void write_string(const char *text)
{
    *out++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\' || *text == '\n') {
            *out++ = '\\';
            *out++ = *text == '\n' ? 'n' : *text;
        } else {
            *out++ = *text;
        }
    }
    *out++ = '"';
}

static void write_value(const struct node *node)
{
    static const char *const words[] = {"null", "false", "true"};
    const char *at;
    switch (node->kind) {
    case NUMBER: write_number(node->is.number); return;
    case STRING: write_string(node->is.text); return;
    case LIST:
    case OBJECT:
        *out++ = node->kind == LIST ? '[' : '{';
        for (const struct node *child = node->is.first; child; child = child->next) {
            if (node->kind == OBJECT) {
                write_string(child->name);
                *out++ = ':';
            }
            write_value(child);
            if (child->next)
                *out++ = ',';
        }
        *out++ = node->kind == LIST ? ']' : '}';
        return;
    default:
        for (at = words[node->kind]; *at; at++)
            *out++ = *at;
    }
}

static void write_document(void)
{
    char *at = document;
    *at++ = '[';
    for (unsigned i = 0; i < RECORDS; i++) {
        /* One after the other: arguments are evaluated in any order. */
        unsigned name = next_number(), weight = next_number() % 10000;
        int price = (int) (next_number() % 2000000) - 1000000;
        at += sprintf(at, "%s\n  { \"id\": %u, \"name\": \"item \\\"%x\\\" \\u00e9\\u20ac\", ", i ? "," : "",
                      i, name);
        at += sprintf(at, "\"price\": %d.%u, \"weight\": %ue-1, ", price, 1 + name % 9, weight);
        at += sprintf(at, "\"tags\": [\"a\\nb\", true, false, null, [%u, {\"deep\": []}]] }", i % 97);
    }
    memcpy(at, "\n]\n", 4);
}

/* The length of what was written, or zero if it was no document. */
static size_t again(const char *from, char *to)
{
    in = from;
    out = to;
    nodes_used = 0;
    text_used = 0;
    const struct node *root = value(0);
    blank();
    if (!root || *in)
        return 0;
    write_value(root);
    *out = 0;
    return (size_t) (out - to);
}

static uint32_t work(void)
{
    static char copy[ROOM];
    uint32_t result = 2166136261u;
    write_document();
    for (int round = 0; round < ROUNDS; round++) {
        size_t len = again(document, written);
        result = sum(result, written, len);
        /* What it writes, it writes again. */
        if (len == 0 || again(written, copy) != len || memcmp(written, copy, len) != 0)
            return 0;
    }
    return result;
}
