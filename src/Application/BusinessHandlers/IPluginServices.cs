using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace WebhookService.Application.BusinessHandlers;

/// <summary>
/// What a plug-in may have once, beside its handlers, if they ask in their constructors for services of its own. It is made at the start
/// (so it has a constructor without parameters), before any handler. See docs/handlers.md.
/// </summary>
public interface IPluginServices
{
    /// <param name="configuration">All of the service's. By convention a plug-in reads a section named after itself.</param>
    void Add(IServiceCollection services, IConfiguration configuration);
}
