#include "console/tokens.h"

enum { BEL = 0x07, CAN = 0x18, SUB = 0x1a, ESC = 0x1b, DEL = 0x7f };

static void csi_begin(struct tokens *t)
{
    t->state = TOKENS_CSI;
    t->leader = t->intermediate = t->final = 0;
    t->started = t->overflow = false;
    t->count = 0;
    t->joined = 0;
}

static void string_begin(struct tokens *t, unsigned char kind)
{
    t->state = TOKENS_IN_STRING;
    t->final = (char)kind;
    t->length = 0;
}

static enum token_kind csi_end(struct tokens *t, unsigned char final)
{
    t->state = TOKENS_GROUND;
    t->final = (char) final;
    return t->overflow ? TOKEN_BROKEN : TOKEN_CSI;
}

static void csi_digit(struct tokens *t, unsigned digit)
{
    if (!t->count) {
        t->params[0] = TOKENS_MISSING;
        t->count = 1;
    }
    uint16_t *p = &t->params[t->count - 1];
    unsigned n = (*p == TOKENS_MISSING ? 0u : *p) * 10u + digit;
    *p = (uint16_t)(n > TOKENS_VALUE_MOST ? TOKENS_VALUE_MOST : n);
}

static void csi_separator(struct tokens *t, bool joins)
{
    if (!t->count) {
        t->params[0] = TOKENS_MISSING;
        t->count = 1;
    }
    if (t->count == TOKENS_PARAMS) {
        t->overflow = true;
        return;
    }
    if (joins)
        t->joined |= 1u << (t->count - 1);
    t->params[t->count++] = TOKENS_MISSING;
}

/* A byte from 0x20 to 0x7e of a control sequence. */
static enum token_kind csi_byte(struct tokens *t, unsigned char c)
{
    if (c >= 0x40)
        return csi_end(t, c);
    if (c < 0x30) {
        t->overflow |= t->intermediate != 0;
        t->intermediate = (char)c;
    } else if (t->intermediate) {
        t->overflow = true;
    } else if (c <= '9') {
        csi_digit(t, c - '0');
    } else if (c == ';' || c == ':') {
        csi_separator(t, c == ':');
    } else {
        t->overflow |= t->started;
        t->leader = (char)c;
    }
    t->started = true;
    return TOKEN_NONE;
}

static enum token_kind escape_byte(struct tokens *t, unsigned char c)
{
    if (c >= 0x20 && c < 0x30) {
        t->overflow |= t->intermediate != 0;
        t->intermediate = (char)c;
        return TOKEN_NONE;
    }
    if (!t->intermediate) {
        switch (c) {
        case '[':
            csi_begin(t);
            return TOKEN_NONE;
        case 'P':
        case ']':
        case '_':
        case '^':
        case 'X':
        case 'k':
            string_begin(t, c);
            return TOKEN_NONE;
        }
    }
    t->state = TOKENS_GROUND;
    t->final = (char)c;
    return t->overflow ? TOKEN_BROKEN : TOKEN_ESCAPE;
}

static void escape_begin(struct tokens *t)
{
    t->state = TOKENS_ESC;
    t->intermediate = t->final = 0;
    t->overflow = false;
}

/* The first byte, 0x80 or more, of a character. */
static enum token_kind utf8_begin(struct tokens *t, unsigned char c)
{
    if (c < 0xc2 || c > 0xf4) {
        t->c = 0xfffd;
        return TOKEN_CHAR;
    }
    t->state = TOKENS_UTF8;
    t->utf8_left = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    t->c = c & (0x3fu >> t->utf8_left);
    /* The Unicode Standard, table 3-7: what may follow keeps out long forms and surrogates. */
    t->utf8_least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    t->utf8_most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return TOKEN_NONE;
}

/* A further byte; `*ret_used` is false when it did not belong to the character. */
static enum token_kind utf8_byte(struct tokens *t, unsigned char c, bool *ret_used)
{
    *ret_used = c >= t->utf8_least && c <= t->utf8_most;
    if (!*ret_used) {
        t->state = TOKENS_GROUND;
        t->c = 0xfffd;
        return TOKEN_CHAR;
    }
    t->c = t->c << 6 | (c & 0x3f);
    t->utf8_least = 0x80;
    t->utf8_most = 0xbf;
    if (--t->utf8_left)
        return TOKEN_NONE;
    t->state = TOKENS_GROUND;
    return TOKEN_CHAR;
}

/* Everything in a string up to what may end it. */
static size_t string_bytes(struct tokens *t, const char *data, size_t size, enum token_kind *ret)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == BEL || c == CAN || c == SUB) {
            t->state = TOKENS_GROUND;
            *ret = c == BEL ? TOKEN_STRING : TOKEN_BROKEN;
            return i + 1;
        }
        if (c == ESC) {
            t->state = TOKENS_STRING_ESC;
            return i + 1;
        }
        if (c >= 0x20 && c != DEL && t->length < TOKENS_STRING)
            t->text[t->length++] = (char)c;
    }
    return size;
}

/* One byte in ground state, in an escape or in a control sequence. */
static enum token_kind sequence_byte(struct tokens *t, unsigned char c)
{
    if (c == ESC) {
        escape_begin(t);
        return TOKEN_NONE;
    }
    if (c == CAN || c == SUB) {
        t->state = TOKENS_GROUND;
        return TOKEN_NONE;
    }
    if (c == 0 || c == DEL)
        return TOKEN_NONE;
    if (c < 0x20) { /* a control within a sequence is obeyed, as a VT does */
        t->c = c;
        return TOKEN_CONTROL;
    }
    if (t->state == TOKENS_GROUND) {
        t->c = c;
        return c < 0x80 ? TOKEN_CHAR : utf8_begin(t, c);
    }
    if (c >= 0x80) {
        t->state = TOKENS_GROUND;
        return TOKEN_BROKEN;
    }
    return t->state == TOKENS_ESC ? escape_byte(t, c) : csi_byte(t, c);
}

size_t tokens_next(struct tokens *t, const char *data, size_t size, enum token_kind *ret)
{
    *ret = TOKEN_NONE;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        bool used = true;
        switch (t->state) {
        case TOKENS_UTF8:
            *ret = utf8_byte(t, c, &used);
            break;
        case TOKENS_IN_STRING:
            i += string_bytes(t, data + i, size - i, ret) - 1;
            break;
        case TOKENS_STRING_ESC:
            if (c == '\\') {
                t->state = TOKENS_GROUND;
                *ret = TOKEN_STRING;
                break;
            }
            /* Cut off by another sequence: that one counts. */
            escape_begin(t);
            *ret = sequence_byte(t, c);
            break;
        case TOKENS_GROUND:
        case TOKENS_ESC:
        case TOKENS_CSI:
            *ret = sequence_byte(t, c);
            break;
        }
        if (*ret != TOKEN_NONE)
            return used ? i + 1 : i;
    }
    return size;
}
