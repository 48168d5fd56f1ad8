/* Compresses text with matches found through chains of hashes, unpacks it, and compares. */
#include "workload.h"

#define SIZE (1 << 20)
#define ROUNDS 6
#define HASHES (1 << 14)
#define WINDOW 65535
#define DEPTH 16
#define SHORTEST 4

static unsigned char text[SIZE], packed[SIZE + SIZE / 64 + 64], unpacked[SIZE];
static int32_t newest[HASHES], older[SIZE];

static uint32_t word_at(const unsigned char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static uint32_t hash_at(int at)
{
    return word_at(text + at) * 2654435761u >> 18;
}

static void remember(int at)
{
    uint32_t hash = hash_at(at);
    older[at] = newest[hash];
    newest[hash] = at;
}

static int same(int a, int b)
{
    int len = 0;
    while (b + len < SIZE && text[a + len] == text[b + len])
        len++;
    return len;
}

/* The longest match of what is at `at` with what came before. */
static int longest(int at, int *from)
{
    int best = 0;
    int32_t there = newest[hash_at(at)];
    for (int depth = 0; depth < DEPTH && there >= 0 && at - there <= WINDOW; depth++) {
        int len = same(there, at);
        if (len > best) {
            best = len;
            *from = there;
        }
        there = older[there];
    }
    return best;
}

/* What a nibble has no room for follows in bytes of up to 255. */
static unsigned char *put_rest(unsigned char *out, int rest)
{
    for (rest -= 15; rest >= 255; rest -= 255)
        *out++ = 255;
    if (rest >= 0)
        *out++ = (unsigned char) rest;
    return out;
}

/* A token: how many literals, how long a match; the literals; how far back, zero at the end. */
static unsigned char *put(unsigned char *out, int from, int literals, int back, int len)
{
    int more = len - SHORTEST;
    if (len == 0)
        more = 0;
    *out++ = (unsigned char) ((literals < 15 ? literals : 15) << 4 | (more < 15 ? more : 15));
    out = put_rest(out, literals);
    memcpy(out, text + from, (size_t) literals);
    out += literals;
    *out++ = (unsigned char) back;
    *out++ = (unsigned char) (back >> 8);
    return put_rest(out, more);
}

static size_t pack(void)
{
    unsigned char *out = packed;
    int at = 0, kept = 0;
    memset(newest, 0xff, sizeof newest);
    while (at + SHORTEST <= SIZE) {
        int from = 0, len = longest(at, &from);
        if (len < SHORTEST) {
            remember(at++);
            continue;
        }
        out = put(out, kept, at - kept, at - from, len);
        for (int end = at + len; at < end; at++)
            if (at + SHORTEST <= SIZE)
                remember(at);
        kept = at;
    }
    return (size_t) (put(out, kept, SIZE - kept, 0, 0) - packed);
}

static int rest(const unsigned char **in, int nibble)
{
    int len = nibble;
    if (nibble == 15)
        do
            len += **in;
        while (*(*in)++ == 255);
    return len;
}

static size_t unpack(void)
{
    const unsigned char *in = packed;
    unsigned char *out = unpacked;
    for (;;) {
        int token = *in++;
        int literals = rest(&in, token >> 4);
        memcpy(out, in, (size_t) literals);
        out += literals;
        in += literals;
        int back = in[0] | in[1] << 8;
        in += 2;
        if (back == 0)
            return (size_t) (out - unpacked);
        for (int len = rest(&in, token & 15) + SHORTEST; len > 0; len--, out++)
            *out = out[-back];
    }
}

/* Words of a small language, frequent ones more often. */
static void write_text(void)
{
    char words[256][12];
    for (int i = 0; i < 256; i++) {
        int len = 2 + (int) (next_number() % 9);
        for (int j = 0; j < len; j++)
            words[i][j] = (char) ('a' + next_number() % 26);
        words[i][len] = 0;
    }
    for (int at = 0; at < SIZE;) {
        const char *word = words[(next_number() & 255) * (next_number() & 255) >> 8];
        while (*word && at < SIZE)
            text[at++] = (unsigned char) *word++;
        if (at < SIZE)
            text[at++] = ' ';
    }
}

static uint32_t work(void)
{
    uint32_t result = 2166136261u;
    write_text();
    for (int round = 0; round < ROUNDS; round++) {
        size_t len = pack();
        result = sum(result, packed, len);
        if (unpack() != SIZE || memcmp(text, unpacked, SIZE) != 0)
            return 0;
        text[next_number() % SIZE] ^= 1;
    }
    return result;
}
