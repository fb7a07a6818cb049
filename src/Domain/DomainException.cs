namespace WebhookService.Domain;

/// <summary>A value that the domain cannot take. The message tells the sender what is wrong; <see cref="Parameter"/> names the field at fault.</summary>
public sealed class DomainException(string message, string? parameter = null) : Exception(message)
{
    public string? Parameter { get; } = parameter;
}
