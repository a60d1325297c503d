"""What makes the toy world's trained assets; needed only to build them again."""
