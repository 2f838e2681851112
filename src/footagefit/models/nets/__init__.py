"""Networks that script: tensor-only forwards, no film words, no inheritance between them."""
