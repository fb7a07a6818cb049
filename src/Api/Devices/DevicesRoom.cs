using System.Reflection;
using AutoMapper;
using AutoMapper.Configuration;

namespace WebhookService.Api.Devices;

/// <summary>What reading devices and sessions needs.</summary>
internal static class DevicesRoom
{
    public static IServiceCollection AddDevices(this IServiceCollection services)
    {
        services.AddClientIdsInPaths();
        var maps = new Maps();
        maps.AddProfiles(typeof(DevicesRoom).Assembly);
        return services.AddSingleton(new MapperConfiguration(maps).CreateMapper());
    }

    /// <summary>Without LINQ's methods as sources of members: AutoMapper 8 closes them over every record, which those of today's LINQ refuse.</summary>
    private sealed class Maps : MapperConfigurationExpression, IProfileConfiguration
    {
        IEnumerable<MethodInfo> IProfileConfiguration.SourceExtensionMethods => [];
    }
}
