"""Pure logic: nothing here opens a file, sleeps, awaits or reads a clock."""
