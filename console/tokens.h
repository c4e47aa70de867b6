/*
 * A terminal's byte stream taken apart: characters, controls, escape and control sequences, strings
 * (ECMA-48, and what xterm's ctlseqs adds). No I/O, no memory: any bytes at all, cut anywhere, give
 * the same tokens.
 */
#ifndef COFFERDAM_CONSOLE_TOKENS_H
#define COFFERDAM_CONSOLE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token_kind {
    TOKEN_NONE,    /* all consumed, nothing whole yet */
    TOKEN_CHAR,    /* `c`: a Unicode scalar value that is no C0 or DEL; U+FFFD for what is broken */
    TOKEN_CONTROL, /* `c`: a C0 control other than ESC, NUL, CAN and SUB */
    TOKEN_ESCAPE,  /* ESC [intermediate] final */
    TOKEN_CSI,     /* leader, parameters, intermediate, final */
    TOKEN_STRING,  /* `final` says which: P DCS, ] OSC, _ APC, ^ PM, X SOS, k the title of screen(1)
                    */
    TOKEN_BROKEN,  /* a sequence that is none */
};

enum { TOKENS_PARAMS = 32, TOKENS_STRING = 512, TOKENS_MISSING = 0xffff, TOKENS_VALUE_MOST = 9999 };

struct tokens {
    enum {
        TOKENS_GROUND,
        TOKENS_UTF8,
        TOKENS_ESC,
        TOKENS_CSI,
        TOKENS_IN_STRING,
        TOKENS_STRING_ESC,
    } state;

    uint32_t c;
    uint8_t utf8_left, utf8_least; /* bytes to come; the least the next one may be */
    uint8_t utf8_most;

    char leader, intermediate, final; /* 0: none */
    bool started, overflow;
    uint8_t count;                  /* parameters; 0 if there is nothing between CSI and final */
    uint32_t joined;                /* bit i: a ':' stands behind parameter i */
    uint16_t params[TOKENS_PARAMS]; /* clamped to TOKENS_VALUE_MOST; TOKENS_MISSING: left out */

    uint16_t length;          /* of `text`; what is longer is cut */
    char text[TOKENS_STRING]; /* of a STRING; its controls left out */
};

/*
 * Consumes bytes up to the end of the first token and returns how many: all of them if it is
 * TOKEN_NONE; none at all if what was held back from earlier bytes turned out to be broken.
 */
size_t tokens_next(struct tokens *t, const char *data, size_t size, enum token_kind *ret);

/* Parameter `i`, or `otherwise` if it is missing (or 0, with tokens_count()). */
static inline unsigned tokens_param(const struct tokens *t, unsigned i, unsigned otherwise)
{
    return i < t->count && t->params[i] != TOKENS_MISSING ? t->params[i] : otherwise;
}
static inline unsigned tokens_count(const struct tokens *t, unsigned i)
{
    unsigned n = tokens_param(t, i, 1);
    return n ? n : 1;
}

#endif
