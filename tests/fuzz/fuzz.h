/*
 * A fuzz target: one function that takes any bytes. With clang -fsanitize=fuzzer it is libFuzzer's;
 * in `meson test` main.c runs it over its corpus and over mutations of it from a fixed seed.
 */
#ifndef COFFERDAM_TESTS_FUZZ_FUZZ_H
#define COFFERDAM_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
