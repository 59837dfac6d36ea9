use overcurrent::Guard;

fn post(order: &str, idempotency_key: &str) -> std::io::Result<String> {
    Ok(format!("receipt for {order}, paid once as {idempotency_key}"))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let payments = Guard::from_file("overcurrent.toml", "payments")?;
    let receipt = payments.call(|attempt| post("order 7", &attempt.idempotency_key()))?;
    assert!(receipt.starts_with("receipt for order 7"));
    Ok(())
}
