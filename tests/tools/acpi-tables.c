/*
 * acpi-tables AT REGISTERS STEP INTERRUPT DEVICES PROCESSORS: what a guest is told by
 * (backends/microvm/firecracker_acpi.h), of a machine whose devices lie elsewhere.
 */
#include "backends/microvm/firecracker_acpi.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 7)
        return 2;
    const struct firecracker_acpi w = {
        .at = strtoull(argv[1], NULL, 0),
        .registers = (uint32_t)strtoul(argv[2], NULL, 0),
        .step = (uint32_t)strtoul(argv[3], NULL, 0),
        .interrupt = (uint32_t)strtoul(argv[4], NULL, 0),
        .devices = (unsigned)strtoul(argv[5], NULL, 0),
        .processors = (unsigned)strtoul(argv[6], NULL, 0),
    };
    autobuf tables = firecracker_acpi(&w);
    return fwrite(tables.data, 1, tables.used, stdout) == tables.used ? 0 : 1;
}
