"""The helper package of an executable study of Paged Attention."""
