printf '{"refund": "R-1"}\n'
