"""The Hugging Face Hub: downloads, the shared cache of snapshots, and verification."""
