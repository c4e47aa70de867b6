/* Documents from a stranger. What is read well can be written and read again. */
#include "images/documents.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void read_index(const char *text, size_t size)
{
    struct document_index i = {0};
    struct error e = {0};
    if (document_read_index(text, size, &i, &e) < 0)
        return;
    autofree char *again = document_write_index(&i);
    struct document_index second = {0};
    if (!again || document_read_index(again, strlen(again), &second, &e) < 0 ||
        second.count != i.count)
        abort();
    if (document_choose(&i, "amd64") >= (int)i.count)
        abort();
    document_index_done(&second);
    document_index_done(&i);
}

static void read_manifest(const char *text, size_t size)
{
    struct document_manifest m = {0};
    struct error e = {0};
    if (document_read_manifest(text, size, &m, &e) < 0)
        return;
    for (size_t i = 0; i < m.count; i++)
        if (strlen(m.layers[i].hex) != 64 || m.layers[i].kind != DOCUMENT_LAYER)
            abort();
    autofree char *again = document_write_manifest(&m);
    struct document_manifest second = {0};
    if (!again || document_read_manifest(again, strlen(again), &second, &e) < 0)
        abort();
    document_manifest_done(&second);
    document_manifest_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct document_config c = {0};
    struct document_saved *s = NULL;
    size_t count = 0;
    struct error e = {0};
    read_index(text, size);
    read_manifest(text, size);
    if (document_read_config(text, size, &c, &e) == 0) {
        for (size_t i = 0; c.diff_ids && c.diff_ids[i]; i++)
            if (strlen(c.diff_ids[i]) != 64)
                abort();
        document_config_done(&c);
    }
    if (document_read_saved(text, size, &s, &count, &e) == 0)
        document_saved_free(s, count);
    document_check_layout(text, size, &e);
    return 0;
}
