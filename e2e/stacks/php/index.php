<?php
// The contract's server behind PHP-FPM; nginx names the base in STACK_BASE.
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $context = hash_init('sha256');
    hash_update_stream($context, fopen('php://input', 'rb'));
    $body = hash_final($context);
} else {
    $size = (int) basename(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
    $body = file_get_contents($_SERVER['STACK_BASE'], false, null, (int) $_GET['seed'], $size);
}
header('Content-Type: application/octet-stream');
header('Content-Length: ' . strlen($body));
echo $body;
