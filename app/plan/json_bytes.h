/* How bytes that are no UTF-8 travel in JSON; see json.c. */
#ifndef COFFERDAM_APP_PLAN_JSON_BYTES_H
#define COFFERDAM_APP_PLAN_JSON_BYTES_H

enum { JSON_BYTE_FIRST = 0x10ff00, JSON_BYTE_LAST = 0x10ffff };

#endif
