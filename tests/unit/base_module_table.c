/* A module for base_module.c to open: built twice, with another number. */
__attribute__((visibility("default"))) extern const int unit_table;
const int unit_table = UNIT_NUMBER;
