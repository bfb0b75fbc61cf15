"""Second opinions on discoveries: each further oracle judges them on a hull of its own."""
