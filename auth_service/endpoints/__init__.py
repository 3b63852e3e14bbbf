"""One module per URL. The packages below know neither requests nor responses, except for cookies and forms."""
