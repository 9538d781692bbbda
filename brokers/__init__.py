"""What is done: risk gate, charges, slippage, the simulated broker and its journal."""
