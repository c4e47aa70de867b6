#include "backends/microvm/firecracker_acpi.h"

#include "base/mem.h"

#include <string.h>

const struct firecracker_acpi firecracker_acpi_usual = {.at = 0xe0000,
                                                        .registers = 0xd0000000,
                                                        .step = 0x1000,
                                                        .interrupt = 5,
                                                        .devices = 6,
                                                        /* as many as it takes */
                                                        .processors = 32};

enum {
    ACPI_HEAD = 36,
    ACPI_RSDP = 36,
    ACPI_RSDP_FIRST = 20, /* what its first checksum is of */
    ACPI_FADT = 276,
    ACPI_ALIGN = 16,
    ACPI_LOCAL_APIC = 0xfee00000,
    ACPI_IO_APIC = 0xfec00000,
};

/* --- numbers and sums ---------------------------------------------------------------------------
 */

static void acpi_number(struct buf *b, uint64_t n, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_putc(b, (char)(n >> (8 * i)));
}

static void acpi_zeros(struct buf *b, size_t bytes)
{
    acpi_number(b, 0, MIN(bytes, (size_t)8));
    if (bytes > 8)
        acpi_zeros(b, bytes - 8);
}

static void acpi_set(struct buf *b, size_t at, uint64_t n, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        b->data[at + i] = (char)(n >> (8 * i));
}

/* What makes the sum of these bytes 0. */
static void acpi_sum(struct buf *b, size_t from, size_t size, size_t at)
{
    unsigned char sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (unsigned char)(sum + (unsigned char)b->data[from + i]);
    b->data[from + at] = (char)(unsigned char)(0x100 - sum);
}

/* Where it begins. */
static size_t acpi_begin(struct buf *b, const char *signature, unsigned revision)
{
    while (b->used % ACPI_ALIGN)
        buf_putc(b, 0);
    size_t at = b->used;
    buf_add(b, signature, 4);
    acpi_zeros(b, 4); /* its size, later */
    acpi_number(b, revision, 1);
    acpi_zeros(b, 1); /* its sum */
    buf_add(b, "COFFERCOFFERDM", 6 + 8);
    acpi_number(b, 1, 4);
    buf_add(b, "CFDM", 4);
    acpi_number(b, 1, 4);
    return at;
}

static void acpi_end(struct buf *b, size_t at)
{
    acpi_set(b, at + 4, b->used - at, 4);
    acpi_sum(b, at, b->used - at, 9);
}

/* --- AML
 * ------------------------------------------------------------------------------------------
 */

/* Its package's length, which counts itself, comes between `head` and what is inside. Takes it. */
static void aml_package(struct buf *b, const char *head, size_t head_size, struct buf *inside)
{
    size_t size = inside->used;
    buf_add(b, head, head_size);
    if (size + 1 < 0x40) {
        acpi_number(b, size + 1, 1);
    } else { /* none here has 4 KiB */
        size += 2;
        acpi_number(b, 0x40 | (size & 0xf), 1);
        acpi_number(b, size >> 4, 1);
    }
    if (inside->used)
        buf_add(b, inside->data, inside->used);
    buf_done(inside);
}

static void aml_name(struct buf *b, const char name[4])
{
    buf_putc(b, 0x08);
    buf_add(b, name, 4);
}

static void aml_hardware(struct buf *b, const char *id)
{
    aml_name(b, "_HID");
    buf_putc(b, 0x0d);
    buf_add(b, id, strlen(id) + 1);
}

static void aml_unique(struct buf *b, unsigned number)
{
    aml_name(b, "_UID");
    buf_putc(b, 0x0a);
    acpi_number(b, number, 1);
}

static void aml_memory(struct buf *b, uint32_t at, uint32_t size)
{
    buf_add(b, "\x86\x09\x00\x01", 4); /* fixed, of 32 bits, to write to */
    acpi_number(b, at, 4);
    acpi_number(b, size, 4);
}

static void aml_port(struct buf *b, unsigned port, unsigned size)
{
    buf_add(b, "\x47\x01", 2);
    acpi_number(b, port, 2);
    acpi_number(b, port, 2);
    acpi_number(b, 1, 1);
    acpi_number(b, size, 1);
}

static void aml_interrupt(struct buf *b, uint32_t number)
{
    buf_add(b, "\x89\x06\x00\x03\x01", 5); /* an edge, high, nobody else's */
    acpi_number(b, number, 4);
}

/* Takes `resources`. */
static void aml_resources(struct buf *b, struct buf *resources)
{
    struct buf inside = {0};
    buf_add(resources, "\x79\x00", 2);
    buf_putc(&inside, 0x0a);
    acpi_number(&inside, resources->used, 1);
    buf_add(&inside, resources->data, resources->used);
    buf_done(resources);
    aml_name(b, "_CRS");
    aml_package(b, "\x11", 1, &inside);
}

/* Takes `inside`. */
static void aml_device(struct buf *b, const char *name, struct buf *inside)
{
    struct buf named = {0};
    buf_add(&named, name, 4);
    buf_add(&named, inside->data, inside->used);
    buf_done(inside);
    aml_package(b, "\x5b\x82", 2, &named);
}

static void aml_virtio(struct buf *b, const struct firecracker_acpi *w, unsigned number)
{
    struct buf inside = {0}, resources = {0};
    autofree char *name = str_format("V%03u", number);
    aml_hardware(&inside, "LNRO0005");
    aml_unique(&inside, number);
    aml_name(&inside, "_CCA");
    buf_putc(&inside, 0x01);
    aml_memory(&resources, w->registers + number * w->step, w->step);
    aml_interrupt(&resources, w->interrupt + number);
    aml_resources(&inside, &resources);
    aml_device(b, name, &inside);
}

/* The console, and what the guest resets itself by. */
static void aml_legacy(struct buf *b)
{
    struct buf serial = {0}, keyboard = {0}, resources = {0};
    aml_hardware(&serial, "PNP0501");
    aml_unique(&serial, 0);
    aml_interrupt(&resources, 4);
    aml_port(&resources, 0x3f8, 8);
    aml_resources(&serial, &resources);
    aml_device(b, "COM1", &serial);
    aml_hardware(&keyboard, "PNP0303");
    aml_port(&resources, 0x60, 1);
    aml_port(&resources, 0x64, 1);
    aml_interrupt(&resources, 1);
    aml_resources(&keyboard, &resources);
    aml_device(b, "PS2_", &keyboard);
}

/* --- the tables
 * -----------------------------------------------------------------------------------
 */

static size_t acpi_dsdt(struct buf *b, const struct firecracker_acpi *w)
{
    struct buf inside = {0};
    size_t at = acpi_begin(b, "DSDT", 2);
    buf_add(&inside, "\\_SB_", 5);
    for (unsigned i = 0; i < w->devices; i++)
        aml_virtio(&inside, w, i);
    aml_legacy(&inside);
    aml_package(b, "\x10", 1, &inside);
    acpi_end(b, at);
    return at;
}

/* Of hardware that has none of a PC's own (reduced), no VGA, no message-signalled interrupts. */
static size_t acpi_fadt(struct buf *b, const struct firecracker_acpi *w, size_t dsdt)
{
    size_t at = acpi_begin(b, "FACP", 6);
    acpi_zeros(b, ACPI_FADT - ACPI_HEAD);
    acpi_set(b, at + 109, 1 << 2 | 1 << 3 | 1 << 4, 2);
    acpi_set(b, at + 112, 1u << 20 | 1 << 5 | 1 << 4, 4);
    acpi_set(b, at + 131, 5, 1);
    acpi_set(b, at + 140, w->at + dsdt, 8);
    acpi_end(b, at);
    return at;
}

static size_t acpi_madt(struct buf *b, const struct firecracker_acpi *w)
{
    size_t at = acpi_begin(b, "APIC", 6);
    acpi_number(b, ACPI_LOCAL_APIC, 4);
    acpi_zeros(b, 4);
    buf_add(b, "\x01\x0c\x00\x00", 4);
    acpi_number(b, ACPI_IO_APIC, 4);
    acpi_zeros(b, 4);
    for (unsigned i = 0; i < w->processors; i++) {
        buf_add(b, "\x00\x08", 2);
        acpi_number(b, i, 1);
        acpi_number(b, i, 1);
        acpi_number(b, 1, 4);
    }
    acpi_end(b, at);
    return at;
}

struct buf firecracker_acpi(const struct firecracker_acpi *w)
{
    struct buf b = {0};
    acpi_zeros(&b, ACPI_RSDP);
    size_t dsdt = acpi_dsdt(&b, w), fadt = acpi_fadt(&b, w, dsdt), madt = acpi_madt(&b, w);
    size_t xsdt = acpi_begin(&b, "XSDT", 1);
    acpi_number(&b, w->at + fadt, 8);
    acpi_number(&b, w->at + madt, 8);
    acpi_end(&b, xsdt);
    memcpy(b.data, "RSD PTR ", 8);
    memcpy(b.data + 9, "COFFER", 6);
    acpi_set(&b, 15, 2, 1);
    acpi_set(&b, 20, ACPI_RSDP, 4);
    acpi_set(&b, 24, w->at + xsdt, 8);
    acpi_sum(&b, 0, ACPI_RSDP_FIRST, 8);
    acpi_sum(&b, 0, ACPI_RSDP, 32);
    return b;
}
