/* What a machine's program answers on its API's socket, if it is not what it was. */
#include "backends/microvm/http.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_head h = {0};
    int r = http_head_read((const char *)data, size, &h);
    if (r > 0 &&
        (h.size > size || h.size > HTTP_HEAD_MAX || h.body > HTTP_BODY_MAX || h.status < 200))
        abort();
    if (r == 0 && size > HTTP_HEAD_MAX)
        abort();
    /* what is not enough yet stays that, or becomes what it is, byte by byte */
    for (size_t i = 0; r > 0 && i < h.size; i++)
        if (http_head_read((const char *)data, i, &(struct http_head){0}) > 0)
            abort();
    return 0;
}
