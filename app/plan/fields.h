/* The plan's fields as rows: JSON is written and read by the same table, so it goes both ways. */
#ifndef COFFERDAM_APP_PLAN_FIELDS_H
#define COFFERDAM_APP_PLAN_FIELDS_H

#include "app/plan/names.h"

enum field_type {
    FIELD_TEXT,   /* char *; NULL is left out */
    FIELD_TEXTS,  /* char **, NULL-terminated */
    FIELD_BOOL,   /* bool */
    FIELD_UINT,   /* unsigned or uint32_t */
    FIELD_INT,    /* int, 0 or more */
    FIELD_U64,    /* uint64_t; UINT64_MAX is "unlimited" */
    FIELD_WORD,   /* an enumeration: `names` */
    FIELD_BITS,   /* uint32_t: `names` of the bits set */
    FIELD_BITS64, /* uint64_t */
    FIELD_RLIMIT, /* const char *: one of plan_rlimit_names */
    FIELD_IDS,    /* uint32_t *, its count at `count` */
    FIELD_OBJECT, /* a struct in place: `rows` */
    FIELD_LIST,   /* structs: `rows`, `size` each, their count at `count` */
    FIELD_ORIGINS,
};

struct field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    size_t at;                /* offset */
    const char *const *names; /* WORD, BITS */
    const struct field *rows; /* OBJECT, LIST */
    size_t size;              /* LIST: bytes of an item */
    size_t count;             /* LIST, IDS: offset of the size_t that counts */
    size_t most;              /* LIST: room in place; 0: on the heap */
    bool brief;               /* left out where it is 0, false or empty; OBJECT: its first text is */
};

extern const struct field plan_fields[];

#endif
