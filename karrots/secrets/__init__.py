"""Secrets in content: where they stand, and how a copy reads what is sealed for its parent."""

from karrots.secrets.find import Decryption, Kept, Sealed, decryptions, kept, sealed

__all__ = ["Decryption", "Kept", "Sealed", "decryptions", "kept", "sealed"]
